// Opened from a folder, without a server, a browser does not let the search load its index: the box is hidden there.
if (location.protocol === "file:") document.documentElement.classList.add("from-file");
