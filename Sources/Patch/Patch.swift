// Patch
