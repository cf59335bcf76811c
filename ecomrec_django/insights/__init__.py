"""What offers earned and why they are shown: attribution, daily figures, experiments, evidence and explanations."""
