# Each target is one script, for machines without make.
.PHONY: demo install test check lock

demo: ; @scripts/demo
install: ; @scripts/install
test: ; @scripts/test
check: ; @scripts/check
lock: ; @scripts/lock
