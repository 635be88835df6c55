"""DeSync: how far picture and sound are apart in time, by Synchformer."""
