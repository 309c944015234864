# SPDX-License-Identifier: GPL-2.0-only
# Page events: clients come and go, and see exactly what happens meanwhile.
. /mmkit/lib.sh
. /mmkit/suite.sh

load mmkit
module_test mmkit_test_events
unload mmkit
