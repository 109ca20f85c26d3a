-- One line, and no name of this module's own.
event !~ $r$^sse:|[\r\n]$r$
