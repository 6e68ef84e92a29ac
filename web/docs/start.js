// Shows /openapi.json with Swagger UI. A file of its own, since the page's Content-Security-Policy
// allows no inline script.
SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
});
