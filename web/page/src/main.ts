// The page begins here.
document.documentElement.dataset["ready"] = "1";
