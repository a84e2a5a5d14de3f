"""The endpoints: requests as clients send them, answers as they read them. Runs in the server, without OpenVINO."""
