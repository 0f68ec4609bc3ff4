"""A stand-in for IB Gateway that speaks the TWS protocol over a real socket."""
