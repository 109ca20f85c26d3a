-- The name of a channel, as checkChannelName() takes it, and none of this module's own. Never null.
octet_length(coalesce(topic, '')) between 1 and 1024 and topic !~ $r$^sse:|[\x01-\x1f\x7f]$r$
