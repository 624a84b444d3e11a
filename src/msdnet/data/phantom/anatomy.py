"""A healthy chest: outlines of body, lungs and organs in millimetres, and how a slice of them is painted in HU."""

from __future__ import annotations

import numpy as np

from msdnet.data.phantom.fields import (
    Array,
    Coordinate,
    Grid,
    SmoothNoise,
    both,
    either,
    ellipse,
    ellipsoid,
    paint,
    rounded_box,
    step,
    stick,
)

CARINA_Z_MM = 12.0
RIB_PITCH_MM = 27.0
RIB_SLOPE = 0.42
VERTEBRA_PITCH_MM = 25.0
SPINE_Y_MM = 50.0


class Chest:
    """One person's chest, its proportions drawn from the generator. x left, y back, z head, all in millimetres.

    The methods take coordinates of any shapes that broadcast and give signed distances, positive inside.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        def vary(mean: float, deviation: float) -> float:
            return float(mean + deviation * np.clip(rng.standard_normal(), -1.8, 1.8))

        self.half_width = vary(125, 4)
        self.half_depth = vary(84, 4)
        self.boxiness = vary(0, 1)
        self.fat_mm = vary(9, 3)
        self.muscle_mm = vary(16, 3)
        self.apex_z = vary(112, 4)
        self.heart_scale = vary(1.0, 0.07)
        self.heart_angle = vary(0.62, 0.08)
        self.heart_shift = vary(0, 4)
        self.aorta_radius = vary(12.5, 1.2)
        self.dome_right = vary(-66, 7)
        self.dome_left = self.dome_right - vary(11, 3)
        self.dome_curve = vary(0.0082, 0.0009)
        self.rib_phase = float(rng.uniform(0, RIB_PITCH_MM))
        self.vertebra_phase = float(rng.uniform(0, VERTEBRA_PITCH_MM))
        self.parenchyma_hu = vary(-868, 10)
        self.gravity_hu_per_mm = vary(0.32, 0.1)
        self.fissure_shift = vary(0, 6)
        self.couch_y = vary(0, 2)
        self.stomach_gas_y = vary(-18, 10)

    def cavity(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to the inner wall of the rib cage, which goes on below the diaphragm."""
        height = np.clip((np.asarray(z) + 45) / (self.apex_z + 45), -1, 0.999)
        rise = np.where(height > 0, np.abs(height) ** 2.3, 0.12 * height * height)
        a = self.half_width * np.sqrt(1 - rise) + 1
        b = self.half_depth * (1 - 0.55 * rise)
        back = np.asarray(y - (2 + 14 * np.maximum(height, 0) ** 2)) / b
        gutters = 0.1 * np.exp(-(((np.abs(x) - 0.52 * a) / (0.3 * a)) ** 2)) * np.clip(back, 0, None)
        return rounded_box(x / (1 + 0.11 * back), b * (back - gutters), a, b)

    def heart(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to the heart's surface; its long axis points to the left and the front."""
        c, s = np.cos(self.heart_angle), np.sin(self.heart_angle)
        dx, dy, dz = x - 20 - self.heart_shift, y + 20, z + 54
        along, across = c * dx - s * dy, s * dx + c * dy
        k = self.heart_scale
        return ellipsoid(along - 0.2 * dz, across, dz + 0.15 * along, (60 * k, 45 * k, 52 * k))

    def mediastinum(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to what lies between the lungs: heart, great vessels, spine and the tissue about them."""
        upper = step((np.asarray(z) - 48) / 7)
        width = 7 + (14 + 5 * upper) * step((np.asarray(y) + 34 + 24 * upper) / 6)
        width = width + upper * 4 * np.cos((np.asarray(y) + 8) / 13)
        inside = either(width - np.abs(x - 2), self.heart(x, y, z) + 3, 12)
        inside = either(inside, ellipse(x, y - SPINE_Y_MM, 21, 20), 8)
        inside = either(inside, self.descending_aorta(x, y, z) + 2, 6)
        inside = either(inside, self.aortic_arch(x, y, z) + 2, 6)
        inside = either(inside, both(ellipse(x - 2, y + 14, 37, 29), 24 - np.abs(z - 20), 12), 10)
        hilum = ellipsoid(np.abs(x) - 34, y - 12, z + 6, (13, 15, 17))
        return either(inside, hilum, 8)

    def descending_aorta(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to the descending aorta, left of the spine and below the arch."""
        return both(self.aorta_radius - np.hypot(x - 23, y - SPINE_Y_MM + 14), 44 - np.asarray(z), 6)

    def aortic_arch(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to the aortic arch, from the right front to the left back."""
        return stick(x, y, (-10, -18), (23, SPINE_Y_MM - 14), self.aorta_radius) - 0.07 * (z - 36) ** 2

    def diaphragm(self, x: Coordinate, y: Coordinate) -> Array:
        """Height of the diaphragm, in millimetres of z."""
        domes = [
            peak - self.dome_curve * ((x - cx) ** 2 + 1.1 * (y + 8) ** 2)
            for peak, cx in ((self.dome_right, -62.0), (self.dome_left, 64.0))
        ]
        return either(domes[0], domes[1], 12)

    def lung(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Depth under the pleura of either lung."""
        inside = both(self.cavity(x, y, z) - 1.5, -self.mediastinum(x, y, z), 9)
        return both(inside, 0.8 * (z - self.diaphragm(x, y)), 5)

    def airway(self, x: Coordinate, y: Coordinate, z: Coordinate) -> Array:
        """Distance to the lumen of trachea and main bronchi."""
        z = np.asarray(z)
        trachea = both(ellipse(x - 1, y - 12 + 0.16 * (z - CARINA_Z_MM), 8.5, 9.5), z - CARINA_Z_MM, 6)
        right = _tube(x, y, z, (1, 12, CARINA_Z_MM), (-30, 14, -8), 6.2)
        left = _tube(x, y, z, (1, 12, CARINA_Z_MM), (36, 17, -11), 5.6)
        return either(either(right, left, 3), trachea, 3)


class ChestPainter:
    """Paints slices of a chest onto a grid."""

    def __init__(self, chest: Chest, grid: Grid, rng: np.random.Generator) -> None:
        self.chest, self.grid = chest, grid
        self._warp_x, self._warp_y = SmoothNoise(rng, 55, grid), SmoothNoise(rng, 55, grid)
        self._coarse, self._medium, self._fine = (SmoothNoise(rng, scale, grid) for scale in (26, 11, 5))

    def coordinates(self, index: int) -> tuple[Array, Array, float]:
        """Coordinates x and y (H, W) and z of a slice, bent a little so that no outline is a plain ellipse."""
        y, x = np.meshgrid(self.grid.y_mm, self.grid.x_mm, indexing="ij")
        return x + 2.6 * self._warp_x.slice(index), y + 2.2 * self._warp_y.slice(index), float(self.grid.z_mm[index])

    def parenchyma(self, index: int, x: Array, y: Array, z: float) -> Array:
        """HU of healthy lung without its vessels: denser towards the back, with fissures."""
        hu = self.chest.parenchyma_hu + self.chest.gravity_hu_per_mm * (y - 5)
        hu = hu + 9 * self._coarse.slice(index) + 11 * self._medium.slice(index) + 16 * self._fine.slice(index)
        wave = 5 * self._coarse.slice(index) + self.chest.fissure_shift
        oblique = 0.57 * (y - 14 + 0.75 * (z + 6) + wave + 0.05 * np.abs(x))
        return np.asarray(hu + 95 * np.exp(-((oblique / 0.8) ** 2)))

    def tissue(self, index: int, x: Array, y: Array, z: float) -> Array:
        """HU of everything but the lungs' inside, (H, W) float32."""
        chest, pixel_mm = self.chest, self.grid.pixel_mm
        coarse, medium, fine = (noise.slice(index) for noise in (self._coarse, self._medium, self._fine))
        cavity = chest.cavity(x, y, z)
        image = np.full(x.shape, -1000.0, dtype=np.float32)
        self._paint_couch(image)
        self._paint_wall(image, cavity, x, y, z, coarse, medium, fine)
        self._paint_abdomen(image, cavity, x, y, z, medium)
        self._paint_mediastinum(image, cavity, x, y, z, medium, fine)
        self._paint_bones(image, cavity, x, y, z, fine)
        airway = chest.airway(x, y, z)
        paint(image, airway + 1.6, 20, pixel_mm)
        paint(image, airway, -995, pixel_mm)
        return image

    def _paint_couch(self, image: Array) -> None:
        y, x = self.grid.y_mm[:, None], self.grid.x_mm[None, :]
        top = y - (self.chest.couch_y + 128) + 0.0011 * x * x
        paint(image, both(top, 34 - top, 1), -960, self.grid.pixel_mm)
        for depth, hu in ((1.5, -120), (32.0, 60)):
            paint(image, 1.4 - np.abs(top - depth) + 0 * x, hu, self.grid.pixel_mm)

    def _paint_wall(
        self, image: Array, cavity: Array, x: Array, y: Array, z: float, coarse: Array, medium: Array, fine: Array
    ) -> None:
        """Skin, fat, the muscles about the rib cage, and the shoulder blades' muscles."""
        chest, pixel_mm = self.chest, self.grid.pixel_mm
        upper = float(step((z - 30) / 18))
        a = chest.half_width + chest.fat_mm + chest.muscle_mm + 12 + 26 * upper
        b = chest.half_depth + chest.fat_mm + 0.35 * chest.muscle_mm + 12 - 6 * upper
        groove = 7 * np.exp(-((x / 13) ** 2))
        body = rounded_box(x, y - 9, a, b) - groove
        paint(image, body, 15, pixel_mm)
        paint(image, body - 1.8, -102 + 5 * medium, pixel_mm)
        fat = chest.fat_mm * (1 + 0.25 * coarse) + 5 * (1 - np.abs(y) / 90).clip(0, 1)
        planes = np.exp(-(((body - fat - 0.5 * chest.muscle_mm + 2 * coarse) / 1.1) ** 2))
        muscle = np.minimum(body - fat, 5 * (1.35 - coarse - 0.5 * medium))
        paint(image, muscle, 52 + 5 * fine - 120 * planes, pixel_mm)
        paint(image, cavity + 11, 46 + 6 * fine, pixel_mm)
        paint(image, 0.9 - np.abs(cavity + 11.5) - np.maximum(0.7 * coarse + 1.2 * upper - 0.4, 0), -60, pixel_mm)

    def _paint_abdomen(self, image: Array, cavity: Array, x: Array, y: Array, z: float, medium: Array) -> None:
        """Liver, spleen, stomach and fat below the diaphragm."""
        pixel_mm = self.grid.pixel_mm
        below = both(cavity - 1, self.chest.diaphragm(x, y) - z, 4)
        if below.max() < -pixel_mm:
            return
        paint(image, below, 42, pixel_mm)
        paint(image, below - 3, -98 + 6 * medium, pixel_mm)
        liver = both(below - 2.5, 38 - x - 0.35 * y - 10 * step((y - 20) / 8), 14)
        paint(image, liver, 60 + 2 * medium, pixel_mm)
        paint(image, both(below - 3, ellipsoid(x - 88, y - 42, z + 112, (26, 36, 34)), 6), 50, pixel_mm)
        stomach = both(below - 3, ellipsoid(x - 58, y + 12, z + 112, (34, 34, 27)), 6)
        paint(image, stomach, 35, pixel_mm)
        paint(image, np.minimum(stomach - 3, self.chest.stomach_gas_y - y), -960, pixel_mm)

    def _paint_mediastinum(
        self, image: Array, cavity: Array, x: Array, y: Array, z: float, medium: Array, fine: Array
    ) -> None:
        """Fat between the lungs with heart, great vessels, gullet and hila in it."""
        chest, pixel_mm = self.chest, self.grid.pixel_mm
        room = both(cavity - 1, z - chest.diaphragm(x, y), 4)
        neck = float(np.clip((z - 52) / 16, 0, 1))
        paint(image, room, -88 + 8 * medium + 75 * step(3 * (medium + fine)) + 55 * neck, pixel_mm)
        heart = both(chest.heart(x, y, z), room, 5)
        paint(image, heart, 41 + 5 * step(4 * medium), pixel_mm)
        shapes: list[Array] = [chest.descending_aorta(x, y, z), 5.5 - np.hypot(x - 7, y - 27)]
        if -35 < z < 52:
            shapes.append(np.minimum(ellipse(x + 13, y + 22, 16, 16), min(z + 35, 46 - z)))
            shapes.append(np.minimum(9 - np.hypot(x + 27, y + 8), 60 - z))
            shapes.append(13 - np.hypot(np.maximum(np.abs(x - 16) - 4, 0), y + 24) - 0.05 * (z - 4) ** 2)
            shapes.append(chest.aortic_arch(x, y, z))
        if z > 38:
            for cx, cy, radius in ((-20, -14, 6.5), (-6, -8, 4.5), (12, 2, 4.5), (-2, -26, 7.5), (22, 10, 4.5)):
                spread = 1 + 0.006 * (z - 40)
                shapes.append(radius - np.hypot(x - cx * spread, y - cy))
        shapes.append(ellipsoid(np.abs(x) - 31, y - 12, z + 6, (13, 14, 16)))
        for shape in shapes:
            paint(image, np.minimum(shape, room), 42, pixel_mm)

    def _paint_bones(self, image: Array, cavity: Array, x: Array, y: Array, z: float, fine: Array) -> None:
        """Ribs, breastbone, shoulder blades, collar bones and a vertebra."""
        chest, pixel_mm = self.chest, self.grid.pixel_mm
        marrow = 190 + 45 * fine

        def bone(distance: Array, cortex_mm: float = 1.3, cortex_hu: float = 560.0) -> None:
            paint(image, distance, cortex_hu, pixel_mm)
            paint(image, distance - cortex_mm, marrow, pixel_mm)

        turn = (z - RIB_SLOPE * y + chest.rib_phase) % RIB_PITCH_MM - RIB_PITCH_MM / 2
        rib = np.where(np.abs(x) > 24, ellipse(cavity + 6.3, turn, 3.9, 6.8), -9.0)
        cartilage = step((-y - 0.55 * chest.half_depth) / 2)
        paint(image, rib, 760 - 620 * cartilage, pixel_mm)
        paint(image, rib - 1.5, marrow * (1 - cartilage) + 125 * cartilage, pixel_mm)
        rise = max((z + 45) / (chest.apex_z + 45), 0)
        front = 2 + 14 * rise**2 - chest.half_depth * (1 - 0.55 * rise**2.3)
        if -70 < z < 75:
            bone(ellipse(x, y - front + 8, 15 + 12 * float(step((z - 45) / 6)), 6), 1.6, 480)
        for side in (-1, 1):
            if z > 15:
                reach = min(1.0, (z - 15) / 50)
                inner = (side * (112 - 8 * reach), chest.half_depth + 6 - 18 * reach)
                outer = (side * (128 + 18 * reach), chest.half_depth - 38 - 26 * reach)
                bone(stick(x, y, inner, outer, 2.6 + 1.5 * reach), 1.5, 620)
            if z > 66:
                lift = (z - 66) * 2.2
                inner = (side * (18 + lift), front - 4 + 0.2 * lift)
                bone(stick(x, y, inner, (side * (48 + lift), front - 2 + 0.35 * lift), 6.0), 2.0, 620)

        level = (z + chest.vertebra_phase) % VERTEBRA_PITCH_MM
        y = y - SPINE_Y_MM
        if level < 5:
            paint(image, ellipse(x, y + 1, 16.5, 14.5), 95, pixel_mm)
        else:
            bone(ellipse(x, y + 1, 16.5, 14.5))
        bone(stick(x, y, (0, 28), (0, 31 + level), 3.2))
        for side in (-1, 1):
            if level > 8:
                bone(stick(x, y, (side * 11, 10), (side * 14, 20), 3.6))
                bone(stick(x, y, (side * 14, 20), (side * (22 + level), 29), 3.4))
            bone(stick(x, y, (side * 13, 20), (0, 30), 3.0))
        paint(image, ellipse(x, y - 18, 9.5, 8), 28, pixel_mm)
        paint(image, ellipse(x, y - 18, 5, 4), 42, pixel_mm)


def _tube(
    x: Coordinate, y: Coordinate, z: Coordinate, start: tuple[float, ...], end: tuple[float, ...], radius: float
) -> Array:
    """Distance to a rounded tube between two points in space."""
    axis = np.subtract(end, start)
    dx, dy, dz = x - start[0], y - start[1], np.asarray(z) - start[2]
    t = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / float(axis @ axis), 0, 1)
    squares = (dx - t * axis[0]) ** 2 + (dy - t * axis[1]) ** 2 + (dz - t * axis[2]) ** 2
    return np.asarray(radius - np.sqrt(squares))
