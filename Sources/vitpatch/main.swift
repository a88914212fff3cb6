print("vitpatch")
