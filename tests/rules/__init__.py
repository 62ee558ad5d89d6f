"""What the balancer does with each octet of HTTP/1.1, as rows: conversations over raw sockets, and docs/http.md made from them.

`wire` reads messages strictly, `cases` is the form of a row, `talk` holds one conversation, the other modules are the rows.
`python -m rules.document > docs/http.md` (from `tests/`) writes the document.
"""
