"""Training of the networks: scenes, tasks as functions of the step, Lightning, export."""
