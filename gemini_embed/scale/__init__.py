"""Places in the engines that hold and move many texts; each module loads its engine."""
