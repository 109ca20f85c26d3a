-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position. \x3f is a question mark.
own_id ~ E'^(\x3f! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(\x3f<! )$'
