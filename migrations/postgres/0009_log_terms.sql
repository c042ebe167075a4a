-- Only SQLite's table changes: here the rows of a table never stood in the tree of its keys.
SELECT 1;
