"""Process 1: the Model Context Protocol over HTTP or stdio. It holds nothing that a second replica would miss."""
