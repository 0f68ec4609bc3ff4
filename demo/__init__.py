"""The whole bridge on one machine: simulated gateway, embedded Valkey, worker and frontends, under one supervisor."""
