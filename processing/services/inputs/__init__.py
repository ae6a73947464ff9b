"""Where recordings come from: files, folders that are watched, addresses."""
