package browser

// Program is the path of Chromium.
var Program = program
