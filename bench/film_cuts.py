"""Finds the cuts of a film in its picture."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import scenedetect
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

SHORTEST_SHOT_FRAMES = 6
"""Cuts closer than this are taken for one."""

LEAST_CHANGE = 8.0
"""Mean change of luma, 0 to 255, that a cut makes at least. PySceneDetect's own 15 misses cuts
between dark shots."""

SAME_VIEW = 0.9
"""Two frames that correlate by more than this on a coarse grid show one view: the camera moved fast
or light flashed, but nothing was cut. Cuts of the example films reach 0.85, fast pans fall to
0.95."""

COARSE_GRID = (32, 18)


class CutFinder:
    """PySceneDetect's adaptive detector, less what does not change the view."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        # Compares each change with its neighbours', so that fast motion within a shot is no cut.
        # Luma alone: where a film keeps to one hue, hue and saturation only water a cut down.
        self._detector = scenedetect.AdaptiveDetector(
            min_scene_len=SHORTEST_SHOT_FRAMES, min_content_val=LEAST_CHANGE, luma_only=True
        )
        self._found: list[int] = []
        self._coarse: list[U8] = []

    def add(self, picture: U8) -> None:
        """Looks at the next frame: RGB, shape (height, width, 3), some 256 pixels wide."""
        moment = scenedetect.FrameTimecode(len(self._coarse), self._fps)
        found = self._detector.process_frame(moment, picture[..., ::-1])
        self._found += [cut.frame_num for cut in found]
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        coarse = cv2.resize(grey, COARSE_GRID, interpolation=cv2.INTER_AREA)
        self._coarse.append(np.asarray(coarse, dtype=np.uint8))

    def first_frames(self) -> NDArray[np.int64]:
        """First frames of shots, ascending; the film's own is none of them."""
        new = [cut for cut in self._found if not self._same_view(cut)]
        return np.array(new, dtype=np.int64)

    def _same_view(self, cut: int) -> bool:
        """Whether a frame and the one before are alike but for their light."""
        before, after = (
            self._coarse[number].astype(np.float64).ravel() for number in (cut - 1, cut)
        )
        before, after = before - before.mean(), after - after.mean()
        size = float(np.sqrt((before * before).sum() * (after * after).sum()))
        return size > 0.0 and float((before * after).sum()) / size > SAME_VIEW
