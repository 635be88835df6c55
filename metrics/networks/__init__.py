"""What the metrics with networks share: reading weights, front ends, resizing, arithmetic. Nothing here is a metric."""
