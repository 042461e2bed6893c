"""As much of Bazarr's `subzero` as the plug-in touches."""
