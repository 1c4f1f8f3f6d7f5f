"""By what a music video is judged: pure functions of numbers, the same for every caller.

`documents` reads what the measures need from an analysis and a storyboard; `watch` looks at the
pictures, one after the other; `cuts`, `motion`, `look` and `flashes` are the measures. Each figure
that chance could give as well comes with what chance gives (`chance`).

Needs the extra `soundsight-kit[measures]`. docs/measures.md defines each measure for people.
"""
