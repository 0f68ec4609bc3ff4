"""Connected clients: their sockets, their sessions, what they ask and what they have subscribed to."""
