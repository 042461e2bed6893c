"""As much of Bazarr's `subliminal_patch` as the plug-in touches."""
