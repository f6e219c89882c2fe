"""fabsight reads semiconductor images and answers in programs and language that can be checked."""
