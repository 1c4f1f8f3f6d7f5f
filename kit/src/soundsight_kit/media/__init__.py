"""Sound and pictures: decoding songs, running ffmpeg, and the mezzanine format of clips.

Needs the extra `soundsight-kit[media]`. Nothing is imported here, so that a child process that
decodes one file starts quickly.
"""
