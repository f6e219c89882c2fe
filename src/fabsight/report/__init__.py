"""The pieces of the report page: markup, charts, pictures, and the page's style and script."""
