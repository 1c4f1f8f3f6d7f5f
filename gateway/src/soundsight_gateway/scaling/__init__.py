"""How many videogen replicas there should be: KEDA's external scaler, fed by the queue."""
