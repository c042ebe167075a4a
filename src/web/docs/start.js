// Shows the API's description; nothing of it is sent to anybody else to be checked.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/api/v1/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    validatorUrl: "none",
  });
});
