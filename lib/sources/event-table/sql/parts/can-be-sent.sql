-- Each condition is true, or null for a column that is null.
--!include topic.sql
and length(event) <= 1024 and
--!include name.sql
and length(own_id) <= 1024 and
--!include own-id.sql
and
--!include retry.sql
