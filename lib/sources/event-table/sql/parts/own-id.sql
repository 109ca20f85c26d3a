-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position.
own_id ~ $r$^(?! |earliest$|[0-9]+[.][0-9]+$)[^\x01-\x1f\x7f]+(?<! )$$r$
