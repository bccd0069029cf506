"""Published derivatives as data: expressions, right statements, and planted mistakes."""
