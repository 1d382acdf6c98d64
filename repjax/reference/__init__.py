"""What the paper's authors published, read and named as they do."""
