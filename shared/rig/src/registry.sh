before() { :; }
after() { :; }
