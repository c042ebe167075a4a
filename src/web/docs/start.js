// Shows the API's description; nothing of it is sent to anybody else to be checked.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    // Relative to the base of the page, which may stand below a path.
    url: new URL("../api/v1/openapi.json", document.baseURI).href,
    dom_id: "#api",
    deepLinking: true,
    validatorUrl: "none",
  });
});
