startTheme();
startTable();
startPlots();
startPanel();
