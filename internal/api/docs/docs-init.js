// A file of its own: the page's policy runs no inline script. validatorUrl null keeps it from asking a checker elsewhere.
SwaggerUIBundle({ url: "../openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
