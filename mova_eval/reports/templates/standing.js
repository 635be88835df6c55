// Only the theme: everything on this page is in its markup.
startTheme();
