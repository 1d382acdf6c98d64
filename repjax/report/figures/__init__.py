"""The paper's figures, drawn with matplotlib from the data of a report."""
