"""Live networks (torch): needs the extra ``supernet``. Import the modules; nothing is loaded here."""
