"""The paper's figures, by matplotlib: data of the report in, figures out."""
