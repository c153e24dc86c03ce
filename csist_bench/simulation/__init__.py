"""From a recipe to frames: optics, scenes, rendering and the sensor."""
