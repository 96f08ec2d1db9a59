"""Objects cut from labelled pictures: masks, a library on disk, and two ways to paste them into pictures of the same
split."""
