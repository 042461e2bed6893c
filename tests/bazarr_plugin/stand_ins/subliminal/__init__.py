"""As much of Bazarr's `subliminal` as the plug-in touches."""
