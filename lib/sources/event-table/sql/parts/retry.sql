-- A browser waits for no time below zero.
retry >= 0
