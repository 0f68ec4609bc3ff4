"""What a job, a tool call and a crowd of them cost, each against a reference measured in the same run."""
