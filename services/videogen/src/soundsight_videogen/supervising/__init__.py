"""Worker processes and their server: how they are started, told, heard, stopped and replaced."""
