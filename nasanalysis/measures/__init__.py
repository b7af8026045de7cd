"""What is read from the weights of any network: angle, loss under noise, Hessian, zero-cost measures."""
