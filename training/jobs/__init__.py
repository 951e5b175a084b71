"""What a run is: its job, its settings, its base model, its tracker."""
